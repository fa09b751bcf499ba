"""The engine over files and history: replay, scenario tests, cost estimates."""
