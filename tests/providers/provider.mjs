// An OpenID provider that nobody here wrote: `node provider.mjs PORT OUR_ADDRESS`. Any name and password sign in.
import Provider from "oidc-provider";

const [port, ours] = process.argv.slice(2);
const account = (id) => ({
  accountId: id,
  claims: () => ({ sub: id, email: `${id}@people.example`, name: `Señora ${id}`, roles: ["organiser", "unheard-of"] }),
});
const provider = new Provider(`http://localhost:${port}`, {
  clients: [{
    client_id: "boleteria",
    client_secret: "a secret that only the two of them know",
    redirect_uris: [`${ours}/login/callback`],
    post_logout_redirect_uris: [`${ours}/`],
    grant_types: ["authorization_code", "refresh_token"],
  }],
  claims: { openid: ["sub"], email: ["email"], profile: ["name"], roles: ["roles"] },
  scopes: ["openid", "offline_access"],
  features: { revocation: { enabled: true } },
  findAccount: (_, id) => account(id),
  cookies: { keys: ["for a test"] },
});
provider.listen(Number(port), () => console.log("listening"));
