"""The colours of all that is looked at in a browser: the service's page, `backtest --html`, `alerts show --html`."""

COLOURS = """:root {
  color-scheme: light dark;
  --ink: #1c2530; --soft: #5a6672; --line: #d5dbe1; --paper: #ffffff; --shade: #f3f5f7; --link: #0b57a4;
  --bad: #a3171f; --warn: #8a5300; --good: #1d6b35; --learn: #3d4f8f; --mark: #c43a1c;
  --old: #b07a2a; --known: #d9e7d4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e4e9ee; --soft: #a3b0bc; --line: #35404b; --paper: #14191f; --shade: #1d242c; --link: #7fb8f0;
    --bad: #ff8f8f; --warn: #f0b45c; --good: #7fd398; --learn: #a9b9ff; --mark: #ff8a6b;
    --old: #e0b060; --known: #28402a;
  }
}
"""
