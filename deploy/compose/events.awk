# Events of one model, a line each, for `docker compose --profile demo up`. Of each 8,000 the last 2,000 have amounts in
# another currency. `pause` is a command that is run after each.
BEGIN {
  srand(7)
  for (n = 0; most == "" || n < most; n++) {
    factor = n % 8000 < 6000 ? 1 : 1.5
    amount = factor * (70 + 20 * (rand() + rand() + rand()))
    country = substr("NLDEFR", 1 + 2 * int(3 * rand()), 2)
    label = rand() < 0.03 ? "fraud" : "ok"
    printf "{\"model\": \"fraud\", \"features\": {\"amount\": %.2f, \"country\": \"%s\"}, ", amount, country
    printf "\"prediction\": {\"label\": \"%s\", \"confidence\": %.3f}, \"latency_ms\": %.1f}\n", label, 0.8 + 0.2 * rand(), 8 + 6 * rand()
    fflush()
    if (pause != "") system(pause)
  }
}
