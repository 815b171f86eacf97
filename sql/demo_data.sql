-- A season to try things on: halls as templates, events from a list, seats by multiplication. Run once, as owner, on an
-- empty catalogue. Dates count from today. Seats that look sold are BLOCKED (held back): a sold one needs a real order.

CREATE TEMPORARY TABLE halls (
    hall text, number smallint, name text, row_count integer, row_seats integer,
    depth integer, price_share numeric, wheelchairs boolean
) ON COMMIT DROP;
INSERT INTO halls VALUES
    ('cámara', 1, 'Sala', 6, 10, 0, 1, true),
    ('sala', 1, 'Platea', 8, 12, 0, 1, true),
    ('sala', 2, 'Galería', 2, 12, 9, 0.6, false),
    ('club', 1, 'Mesas', 6, 10, 0, 1.6, true),
    ('club', 2, 'Platea', 9, 20, 7, 1, false),
    ('teatro', 1, 'Platea baja', 9, 20, 0, 1.5, true),
    ('teatro', 2, 'Platea alta', 9, 20, 9, 1, false),
    ('teatro', 3, 'Balcón', 8, 20, 20, 0.6, false),
    ('auditorio', 1, 'Platea izquierda', 12, 12, 2, 1.2, true),
    ('auditorio', 2, 'Platea centro', 12, 20, 0, 1.5, true),
    ('auditorio', 3, 'Platea derecha', 12, 12, 2, 1.2, true),
    ('auditorio', 4, 'Mezzanine izquierdo', 8, 12, 16, 0.8, false),
    ('auditorio', 5, 'Mezzanine centro', 8, 20, 14, 1, false),
    ('auditorio', 6, 'Mezzanine derecho', 8, 12, 16, 0.8, false),
    ('auditorio', 7, 'Galería', 10, 18, 26, 0.5, false),
    ('coliseo', 1, 'Preferencial norte', 10, 20, 2, 1.6, true),
    ('coliseo', 2, 'Preferencial sur', 10, 20, 2, 1.6, true),
    ('coliseo', 3, 'Preferencial oriente', 10, 20, 0, 1.8, false),
    ('coliseo', 4, 'Preferencial occidente', 10, 20, 0, 1.8, false),
    ('coliseo', 5, 'Tribuna norte', 16, 25, 14, 0.8, false),
    ('coliseo', 6, 'Tribuna sur', 16, 25, 14, 0.8, false),
    ('coliseo', 7, 'Tribuna oriente', 16, 25, 12, 1, false),
    ('coliseo', 8, 'Tribuna occidente', 16, 25, 12, 1, false);
INSERT INTO halls
SELECT 'estadio', row_number() OVER (ORDER BY side.place, part.number), side.name || ' ' || chr(64 + part.number),
       side.row_count, side.row_seats, side.depth + abs(part.number - 2), side.price_share, part.number = 2
  FROM (VALUES (1, 'Occidente', 15, 24, 0, 2.2), (2, 'Oriente', 15, 24, 1, 1.8),
               (3, 'Norte', 20, 22, 18, 1.0), (4, 'Sur', 20, 22, 18, 1.0))
           AS side (place, name, row_count, row_seats, depth, price_share),
       generate_series(1, 3) AS part (number);
INSERT INTO halls
SELECT 'arena', row_number() OVER (ORDER BY ring.place, part.number), ring.name || ' ' || part.number,
       20, 20, ring.depth, ring.price_share, ring.place <= 2 AND part.number = 1
  FROM (VALUES (1, 'Platea', 3, 0, 3.0), (2, 'Preferencial', 6, 22, 2.0),
               (3, 'Lateral', 8, 40, 1.4), (4, 'Tribuna', 8, 62, 1.0))
           AS ring (place, name, parts, depth, price_share),
       generate_series(1, ring.parts) AS part (number);

-- `days` from today on, moved forward to the `weekday` (0 is Sunday); `price` is multiplied by the section's share;
-- `taken` is the share of seats, in hundredths, that are held back.
CREATE TEMPORARY TABLE season (
    event_id bigint DEFAULT nextval(pg_get_serial_sequence('catalog.events', 'id')), category text, hall text, title text, venue text,
    days integer, weekday integer, hour time, minutes integer, price numeric, taken integer, description text
) ON COMMIT DROP;
INSERT INTO season (category, hall, title, venue, days, weekday, hour, minutes, price, taken, description) VALUES
    ('CONCERT', 'arena', 'La Sonora del Puerto', 'Arena Pacífico', 12, 6, '20:30', 150, 60, 22,
     'La orquesta del Callao celebra cuarenta años de salsa dura con catorce músicos, tres cantantes y todos los coros que ya te sabes.'),
    ('CONCERT', 'teatro', 'Susurros del Ande', 'Teatro Segura', 5, 5, '20:00', 110, 50, 35,
     'Quena, charango y cuerdas: música andina de cámara con estrenos de cinco compositoras jóvenes de Ayacucho y Puno.'),
    ('CONCERT', 'auditorio', 'Noche de boleros: Los Caballeros de la Luna', 'Teatro Municipal de Lima', 9, 6, '20:30', 120, 70, 48,
     'Boleros cantineros a media luz, con requinto, dos voces y una orquesta de cuerdas. Para cantar bajito.'),
    ('CONCERT', 'club', 'Chabuca, cien años después', 'La Peña de la Bajada, Barranco', 3, 4, '21:30', 120, 45, 60,
     'Guitarra, cajón y la voz de Mariela Santa Cruz: los valses y las coplas de Chabuca Granda en formato íntimo.'),
    ('CONCERT', 'auditorio', 'Orquesta Sinfónica del Rímac: Mahler 2', 'Gran Teatro Nacional', 16, 0, '18:00', 100, 60, 52,
     'La sinfonía Resurrección con coro de ochenta voces. Música para gran orquesta dirigida por Inés Valdivia.'),
    ('CONCERT', 'coliseo', 'Cumbia Sin Fronteras', 'Coliseo Mariscal Cáceres, Chorrillos', 24, 5, '21:00', 210, 40, 30,
     'Cumbia amazónica, chicha y tecnocumbia: seis bandas, una sola pista y el órgano que no para hasta las dos.'),
    ('CONCERT', 'cámara', 'Guns N'' Rosas: tributo acústico', 'Sala Alameda, Miraflores', 7, 4, '21:00', 90, 35, 40,
     'Cuatro amigos, dos guitarras y un piano: rock & roll de estadio contado en voz baja para sesenta personas.'),
    ('CONCERT', 'club', 'Festejo y landó con Las Hijas de Malambo', 'Centro Cultural La Noche, Barranco', 14, 5, '22:00', 120, 40, 25,
     'Tres generaciones de una familia de músicos afroperuanos con cajón, quijada y checo.'),
    ('CONCERT', 'teatro', 'Piano solo: Joaquín Arrieta', 'Auditorio Santa Úrsula, San Isidro', 21, 3, '20:00', 85, 55, 44,
     'Un recital sin pausa: Albéniz, Ginastera y los Cuadernos limeños del propio Arrieta. Running time: 85 minutes.'),
    ('CONCERT', 'auditorio', 'Rock en el Parque: Frecuencia Modulada', 'Anfiteatro del Parque de la Exposición', 30, 6, '19:00', 180, 45, 38,
     'Indie, pospunk y shoegaze de Lima, Bogotá y Quito. Puertas desde las 17:30, conciertos hasta las diez.'),
    ('CONCERT', 'sala', 'Jazz de medianoche: Cuarteto Quilca', 'Jazz Zone, Miraflores', 4, 6, '23:30', 90, 40, 55,
     'Standards, algo de Monk y la Lima nocturna del saxofonista Óscar Tello.'),
    ('CONCERT', 'auditorio', 'Huayno Moderno: Rosita de los Andes', 'Teatro Municipal de Arequipa', 38, 6, '20:00', 150, 50, 20,
     'Arpa, saxo y batería. La voz más querida del centro llega a Arequipa con su banda completa.'),
    ('CONCERT', 'teatro', 'Tango en Lima: Sexteto Boedo', 'Teatro Segura', 44, 5, '20:30', 100, 60, 33,
     'Dos bandoneones, violín, viola, piano y contrabajo, con la pareja de baile Ferrari y Ocampo.'),
    ('CONCERT', 'club', 'Trova de domingo: Silvana Cueto', 'La Posada del Ángel, Barranco', 10, 0, '19:00', 90, 30, 15,
     'Canciones propias y de Silvio, Chico Buarque y Violeta Parra.'),
    ('CONCERT', 'coliseo', 'Reguetón Perreo Fest: Los del Barrio', 'Coliseo Cerrado Puente Palo, Trujillo', 52, 6, '21:00', 180, 50, 18,
     'Cuatro horas con los productores que ponen a bailar al norte. Mayores de 18 años.'),

    ('THEATER', 'auditorio', 'La casa de Bernarda Alba', 'Teatro Segura', 6, 6, '19:00', 110, 45, 62,
     'Lorca dirigido por Mikaela Bravo, con un elenco de once actrices y el luto más ruidoso del teatro español.'),
    ('THEATER', 'sala', 'El extraño viaje de Ñuqa', 'Teatro La Plaza, Miraflores', 2, 4, '20:00', 95, 65, 50,
     'Una muchacha quechuahablante cruza el país para devolver una carta. Estreno de la dramaturga Luz Ccori.'),
    ('THEATER', 'teatro', 'Ña Catita', 'Teatro Municipal del Callao', 11, 0, '17:00', 120, 35, 28,
     'La comedia de Manuel Ascensio Segura, con música criolla en vivo y vestuario de época.'),
    ('THEATER', 'cámara', 'Monólogo para una cama vacía', 'Sala Alameda, Miraflores', 8, 2, '20:30', 70, 40, 30,
     'Un actor, una cama y la noche más larga de su vida. Sin intermedio.'),
    ('THEATER', 'auditorio', 'El Quijote de los Barracones', 'Gran Teatro Nacional', 26, 5, '20:00', 130, 50, 41,
     'Cervantes en un puerto del Pacífico: títeres gigantes, batucada y una Dulcinea que vende emoliente.'),
    ('THEATER', 'sala', 'Fuenteovejuna, señor', 'Teatro de la Católica, San Miguel', 19, 5, '20:00', 105, 45, 22,
     'Lope de Vega por un coro de veinte estudiantes: quién mató al comendador, contado desde la plaza.'),
    ('THEATER', 'teatro', 'Los fantasmas han vuelto (y esta vez se quedan)', 'Teatro Pirandello, Lima', 15, 6, '20:30', 90, 60, 70,
     'Clown para adultos: una familia, una casa embrujada y un mayordomo que no se calla.'),
    ('THEATER', 'sala', 'La ratonera', 'Teatro Marsano, Miraflores', 13, 0, '18:00', 120, 50, 47,
     'El misterio de Agatha Christie. No cuentes el final.'),
    ('THEATER', 'auditorio', 'El lago de los cisnes', 'Teatro Municipal de Lima', 33, 6, '19:30', 140, 80, 97,
     'El Ballet Municipal con orquesta en vivo. Danza clásica en cuatro actos, un intermedio de veinte minutos.'),
    ('THEATER', 'sala', 'Improvisa o muere', 'Teatro Mocha Graña, Barranco', 4, 5, '22:30', 75, 30, 12,
     'Match de improvisación: dos equipos, un árbitro y las palabras que tú escribas al entrar.'),
    ('THEATER', 'teatro', 'El Principito: un musical', 'Teatro Peruano Japonés, Jesús María', 17, 0, '16:00', 80, 40, 37,
     'Para niñas y niños desde los 5 años y para los grandes que se acuerdan de haberlo sido.'),
    ('THEATER', 'cámara', 'Cuentos para no dormir la siesta', 'Casa Bulbo, Barranco', 22, 6, '11:00', 50, 25, 20,
     'Narración oral con sombras y objetos. Aforo de sesenta personas, cojines incluidos.'),

    ('SPORTS', 'estadio', 'Clásico: Alianza – Cienciano', 'Estadio del Norte', 8, 0, '16:00', 120, 35, 45,
     'Fecha 14 del torneo. Tribunas Norte y Sur separadas por hinchada; ingreso con DNI desde las 13:00.'),
    ('SPORTS', 'coliseo', 'Superliga de vóley: final', 'Coliseo Eduardo Dibós, San Borja', 20, 6, '18:00', 150, 30, 58,
     'Los dos mejores equipos del año a cinco sets. Antes, el partido por el tercer puesto.'),
    ('SPORTS', 'estadio', 'Rugby: Tumis – Cóndores', 'Estadio San Marcos, Lima', 40, 6, '15:30', 110, 20, 10,
     'Torneo sudamericano. Después del partido, tercer tiempo abierto al público.'),
    ('SPORTS', 'club', 'Noche de box: cinturón del Pacífico', 'Coliseo Lolo Fernández, Breña', 16, 5, '20:00', 180, 60, 35,
     'Ocho peleas, dos títulos sudamericanos y el regreso del peso wélter Kike Zegarra.'),
    ('SPORTS', 'coliseo', 'Básquet: Regatas – Real Club', 'Coliseo Eduardo Dibós, San Borja', 27, 4, '20:00', 110, 25, 24,
     'Semifinal de la liga nacional, tercer partido de la serie.'),
    ('SPORTS', 'sala', 'Ajedrez: final del Abierto de Lima', 'Casa de la Cultura, Jesús María', 23, 6, '10:00', 240, 15, 18,
     'Tableros gigantes, comentarios en vivo del maestro Julio Ibarra y simultáneas para el público.'),
    ('SPORTS', 'estadio', 'Atletismo: Gran Premio Andino', 'Estadio Atlético de la Videna', 47, 0, '09:00', 300, 15, 8,
     'Velocidad, vallas y fondo con atletas de doce países. Running, jumping and throwing since 9 a.m.'),
    ('SPORTS', 'auditorio', 'E-Sports: Copa Inca de Dota', 'Centro de Convenciones de Lima', 35, 6, '13:00', 420, 40, 29,
     'Ocho equipos de la región en pantalla gigante, con narración en español y en inglés.'),
    ('SPORTS', 'teatro', 'Lucha libre: Máscara contra Cabellera', 'Coliseo Puente del Ejército', 18, 6, '18:30', 150, 30, 33,
     'Dos caídas de tres. El Cóndor Dorado apuesta su máscara; Tinieblas Jr. del Rímac, su melena.'),
    ('SPORTS', 'auditorio', 'Marinera: concurso nacional', 'Coliseo Gran Chimú, Trujillo', 58, 6, '14:00', 360, 45, 42,
     'Campeonato de marinera norteña en todas las categorías, con banda de músicos de la Guardia.'),

    ('FESTIVAL', 'coliseo', 'Carnaval de Cajamarca', 'Plaza de Toros de Cajamarca', 19, 5, '12:00', 480, 35, 31,
     'Comparsas, coplas y pintura: el carnaval más grande del norte, con sombra y agua garantizadas.'),
    ('FESTIVAL', 'teatro', 'Festival de Cine de los Andes', 'Cine Tauro restaurado, Lima', 10, 4, '17:00', 300, 25, 27,
     'Doce largometrajes, treinta cortos y conversación con sus directoras después de cada función.'),
    ('FESTIVAL', 'auditorio', 'Barranco Jazz: tres noches', 'Parque Municipal de Barranco', 25, 5, '18:00', 3120, 60, 46,
     'Tres días de jazz latino frente al mar. La entrada vale para las tres noches y se vende hasta la última.'),
    ('FESTIVAL', 'club', 'Feria del Pisco y el Cóctel', 'Casona San Marcos, Lima', 29, 6, '16:00', 360, 40, 21,
     'Veinte bodegas, catas guiadas y el mejor chilcano de la ciudad. Solo mayores de 18.'),
    ('FESTIVAL', 'auditorio', 'Festival Internacional de Títeres', 'Parque de las Leyendas, San Miguel', 37, 6, '11:00', 360, 20, 16,
     'Compañías de Perú, México y Chile; talleres gratuitos para construir tu marioneta.'),
    ('FESTIVAL', 'coliseo', 'Inti Raymi: noche previa', 'Explanada de Sacsayhuamán, Cusco', 66, 5, '18:30', 180, 70, 39,
     'Música sinfónica andina, danza y fuego en la víspera de la fiesta del Sol. Abrígate.'),
    ('FESTIVAL', 'sala', 'Poesía en la azotea', 'Azotea del Centro Cultural de España', 12, 4, '19:30', 150, 15, 23,
     'Cuarenta poetas, tres minutos cada uno, micrófono abierto al final.'),
    ('FESTIVAL', 'club', 'Sabores de barrio: cocina en vivo', 'Mercado N.º 1 de Surquillo', 31, 0, '12:00', 300, 50, 49,
     'Ocho cocineras cuentan y sirven su plato: anticuchos, juane, rocoto relleno y suspiro.'),
    ('FESTIVAL', 'teatro', 'Danzas de tijeras: atipanakuy', 'Gran Teatro Nacional', 70, 6, '19:00', 150, 45, 26,
     'Competencia de danzantes de Ayacucho, Huancavelica y Apurímac, con arpa y violín hasta que uno se rinda.'),

    ('CONFERENCE', 'auditorio', 'PyCon Perú', 'Universidad Nacional de Ingeniería', 41, 6, '09:00', 540, 30, 34,
     'Dos salas, veinticuatro charlas y un día entero de Python. Talks in Spanish and English.'),
    ('CONFERENCE', 'sala', 'Arqueología: lo que Caral todavía calla', 'Museo de Arte de Lima', 9, 3, '19:00', 90, 15, 40,
     'La doctora Ruth Salazar muestra los hallazgos de la última temporada de excavación.'),
    ('CONFERENCE', 'teatro', 'Mujeres en ciencia: cómo llegué aquí', 'Auditorio Mario Vargas Llosa, San Borja', 14, 2, '18:30', 120, 0, 33,
     'Una astrónoma, una bióloga marina y una ingeniera de minas cuentan su camino. Ingreso libre con entrada numerada.'),
    ('CONFERENCE', 'club', 'Café y clima: el futuro de la selva', 'Casa O''Higgins, Lima', 20, 4, '17:00', 150, 20, 14,
     'Caficultores de Chanchamayo y climatólogos en una misma mesa, con cata al final.'),
    ('CONFERENCE', 'auditorio', 'Diseño Lima: tipografía y ciudad', 'Centro de Convenciones de Lima', 48, 5, '09:30', 480, 60, 27,
     'Rótulos chicha, letras de molde y sistemas de señales: un día con quienes dibujan lo que leemos.'),
    ('CONFERENCE', 'sala', 'Finanzas para quien vive de su arte', 'Impact Hub Lima', 11, 2, '18:00', 120, 25, 19,
     'Impuestos, contratos y tarifas explicados por una contadora que también toca la batería.'),
    ('CONFERENCE', 'teatro', 'El español que hablamos', 'Academia Peruana de la Lengua', 28, 4, '19:00', 100, 20, 31,
     '¿Se dice yapa o ñapa? Lingüistas y comediantes discuten nuestras palabras.'),
    ('CONFERENCE', 'cámara', 'Taller: escribe tu primer cuento', 'Librería El Virrey, Miraflores', 6, 6, '10:00', 180, 55, 45,
     'Tres horas con la narradora Katya Rojas. Trae un cuaderno; el resto lo ponemos nosotros.'),
    ('CONFERENCE', 'auditorio', 'Salud mental en tiempos de pantalla', 'Colegio Médico del Perú, Miraflores', 55, 3, '18:00', 150, 30, 11,
     'Psiquiatras, docentes y adolescentes conversan sobre sueño, redes y compañía.'),

    ('OTHER', 'teatro', 'Stand-up: Nadie me preguntó', 'Teatro Canout, Miraflores', 5, 6, '21:00', 80, 50, 96,
     'Malú Paredes habla de su mamá, de la combi y de por qué el ceviche se come de día.'),
    ('OTHER', 'teatro', 'Circo Ícaro: Vértigo', 'Carpa del Parque Kennedy', 13, 6, '17:00', 110, 60, 36,
     'Trapecio, rueda alemana y humor sin animales. Butacas numeradas bajo la carpa.'),
    ('OTHER', 'cámara', 'Planetario: el cielo del sur', 'Planetario del Morro Solar, Chorrillos', 3, 0, '18:30', 60, 20, 35,
     'Una hora bajo la cúpula: la Cruz del Sur, las constelaciones oscuras de los incas y Saturno si hay cielo.'),
    ('OTHER', 'club', 'Cata a ciegas de chocolate', 'Museo del Cacao, Cusco', 24, 6, '17:00', 90, 45, 28,
     'Ocho chocolates de Piura, San Martín y Cusco sin ver la etiqueta.'),
    ('OTHER', 'sala', 'Magia de cerca: Manos lentas', 'Teatro Auditorio Miraflores', 15, 5, '20:00', 75, 40, 44,
     'Cartas, monedas y mentiras honestas a un metro de distancia.'),
    ('OTHER', 'auditorio', 'Gala de la Orquesta de Señoritas', 'Teatro Municipal de Tacna', 61, 6, '19:30', 120, 35, 13,
     'Zarzuela, humor y música de salón con doce intérpretes de la frontera.'),
    ('OTHER', 'sala', 'Subasta benéfica: arte por la infancia', 'Centro Cultural Ricardo Palma', 34, 4, '19:00', 120, 20, 9,
     'Cuarenta obras donadas; lo recaudado va a la escuela de música de Villa El Salvador.'),
    ('OTHER', 'teatro', 'Desfile: Alpaca Joven', 'Patio del Museo Pedro de Osma, Barranco', 43, 5, '20:00', 75, 55, 32,
     'Diez diseñadoras presentan su primera colección en fibra de alpaca.'),
    -- What buyers should see once each: sold out, nearly sold out, sale ended, and over.
    ('CONCERT', 'teatro', 'Gaita y tambor: última función', 'Teatro Segura', 6, 4, '20:00', 100, 65, 100,
     'Despedida de la gira de Los Gaiteros de la Quebrada. La función que todo el mundo quiere.'),
    ('THEATER', 'auditorio', 'Un enemigo del pueblo', 'Teatro La Plaza, Miraflores', 7, 5, '20:00', 115, 55, 97,
     'Ibsen en un balneario del sur: el agua está contaminada y el verano empieza mañana. Últimas localidades.'),
    ('OTHER', 'sala', 'Observación de aves en los Pantanos', 'Pantanos de Villa, Chorrillos', 2, NULL, '06:30', 180, 25, 30,
     'Caminata con guía y binoculares. La venta cerró: los grupos ya están hechos.'),
    ('CONCERT', 'club', 'Aniversario del Conservatorio', 'Conservatorio Nacional, Lima', -3, NULL, '19:30', 120, 20, 80,
     'Concierto de aniversario con los graduados del año. Ya fue: gracias por venir.');

INSERT INTO catalog.events (
    id, organiser, title, description, category, venue, time_zone, starts_at, ends_at, sales_end_at, status, currency
)
SELECT event_id, '00000000-0000-4000-8000-000000000004', title, description, category, venue, 'America/Lima',
       starts_at, starts_at + make_interval(mins => minutes),
       CASE title WHEN 'Observación de aves en los Pantanos' THEN now() - interval '2 hours'
                  WHEN 'Barranco Jazz: tres noches' THEN starts_at + interval '2 days' END,
       'PUBLISHED', 'PEN'
  FROM (SELECT season.*,
               (day + coalesce((weekday - extract(dow FROM day)::integer + 7) % 7, 0) + hour)
                   AT TIME ZONE 'America/Lima' AS starts_at
          FROM season, LATERAL (SELECT (now() AT TIME ZONE 'America/Lima')::date + days) AS from_today (day)) AS dated
 ORDER BY event_id;

INSERT INTO catalog.sections (event_id, number, name, price)
SELECT event_id, halls.number, halls.name, round(season.price * halls.price_share)
  FROM season JOIN halls USING (hall)
 ORDER BY event_id, halls.number;

INSERT INTO catalog.seats (
    event_id, section_number, row_label, number, position, rank, accessible, price, status
)
SELECT event_id, section_number, chr(64 + seat_row), place, (seat_row - 1) * row_seats + place - 1,
       row_number() OVER (PARTITION BY event_id
                          ORDER BY depth + seat_row, abs(2 * place - row_seats - 1), section_number, place),
       wheelchairs AND seat_row = row_count AND (place <= 2 OR place > row_seats - 2),
       price,
       -- Neighbours go together, as they do when people buy: the dice fall once for about three seats.
       CASE WHEN abs(hashtextextended(concat_ws(' ', title, section_number, seat_row, (place + seat_row) / 3), 7)) % 100
                 < taken THEN 'BLOCKED' ELSE 'AVAILABLE' END
  FROM (SELECT season.event_id, halls.number AS section_number, halls.depth, halls.row_count, halls.row_seats,
               halls.wheelchairs, sections.price, season.taken, season.title
          FROM season JOIN halls USING (hall)
          JOIN catalog.sections ON sections.event_id = season.event_id
                               AND sections.number = halls.number) AS parts,
       generate_series(1, row_count) AS seat_row,
       generate_series(1, row_seats) AS place
 ORDER BY event_id, section_number, seat_row, place;

ANALYZE catalog.events, catalog.sections, catalog.seats;
