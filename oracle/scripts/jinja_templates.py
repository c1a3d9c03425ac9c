"""Write what Python's Jinja makes of chat templates with the constructs of the families that people run.

Usage: jinja_templates.py OUT_DIR

The templates, in OUT_DIR/jinja/templates, are our own. Each is rendered with all of OUT_DIR/jinja/conversations.json.
"""

import json
import sys
from pathlib import Path

from common import provenance, write_json
from jinja_environment import make_environment, render

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def main():
    """Write OUT_DIR/jinja/templates.json."""
    folder = Path(sys.argv[1]) / "jinja"
    environment = make_environment()
    conversations = (folder / "conversations.json").read_text(encoding="utf-8")
    results = {}
    for path in sorted((folder / "templates").glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        results[path.stem] = {
            name: render(environment, source, {"tools": None, "documents": None, **TOKENS, **variables})
            for name, variables in json.loads(conversations).items()}
    write_json(folder / "templates.json", {"provenance": provenance(__file__), "tokens": TOKENS, "results": results})
    flat = [result for of_template in results.values() for result in of_template.values()]
    print(len(results), "templates,", len(flat), "renderings,", sum("error" in result for result in flat), "errors")


if __name__ == "__main__":
    main()
