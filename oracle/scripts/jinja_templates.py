"""Write what Python's Jinja makes of chat templates with the constructs of the families that people run.

Usage: jinja_templates.py OUT_DIR

The templates, in jinja/templates, are our own. Each is rendered with all of jinja/conversations.json.
"""

import json
import sys
from pathlib import Path

from common import write_json
from jinja.environment import SCRIPTS, make_environment, provenance_with, render

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def main():
    """Write OUT_DIR/jinja/templates.json."""
    folder = Path(sys.argv[1]) / "jinja"
    folder.mkdir(parents=True, exist_ok=True)
    environment = make_environment()
    conversations = SCRIPTS / "jinja" / "conversations.json"
    templates = sorted((SCRIPTS / "jinja" / "templates").glob("*.jinja"))
    results = {}
    for path in templates:
        source = path.read_text(encoding="utf-8")
        results[path.stem] = {
            name: render(environment, source, {"tools": None, "documents": None, **TOKENS, **variables})
            for name, variables in json.loads(conversations.read_text(encoding="utf-8")).items()}
    write_json(folder / "templates.json", {"provenance": provenance_with(__file__, [conversations, *templates]), "tokens": TOKENS, "results": results})
    flat = [result for of_template in results.values() for result in of_template.values()]
    print(len(results), "templates,", len(flat), "renderings,", sum("error" in result for result in flat), "errors")


if __name__ == "__main__":
    main()
