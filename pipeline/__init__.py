"""Everything that happens to an order after the tap on Pay.

1. `seatlock` holds all of the wanted seats for the buyer, or none.
2. `orders.begin` makes the purchase known before anything remote is asked.
3. `payments` has the bank reserve the money; nothing is taken yet.
4. `seatlock` makes the seats SOLD for this order; from here there is only forward.
5. `orders.place` writes order, tickets and outbox row in one transaction; the buyer has the answer.
6. `relay` sends the outbox row to the stream `orders`.
7. `dispatcher` turns stream entries into RQ jobs and acknowledges them in the same MULTI.
8. `worker` runs `tickets.make_tickets`: captures the money, signs the codes, draws the QR.
9. `updates.announce` tells the stream `updates`; `web.updates` pushes the fragment to the page.

`sweeper` repairs what a crash left behind, `autoscaler` starts more workers, `keep` restarts what
died.
"""
