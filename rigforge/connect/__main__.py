"""`python -m rigforge.connect HOST`: the task `connect` where Rigforge's environment is not made, or cannot be."""

from __future__ import annotations

import argparse
import sys

from rigforge.connect.connect import code, connect
from rigforge.errors import RigforgeError
from rigforge.plain import plain


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m rigforge.connect", description="Open a machine's JupyterLab here.")
    parser.add_argument("host", help="as ssh takes it: NAME, USER@NAME or ssh://USER@NAME:PORT")
    parser.add_argument("--code", action="store_true", help="print the command that opens it in Visual Studio Code")
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    parser.add_argument("--port", default="", help="port on this computer (default: 8888, else a free one)")
    chosen = parser.parse_args()
    try:
        if chosen.code:
            print(code(chosen.host))
        else:
            connect(chosen.host, port=chosen.port, browser=not chosen.no_browser, say=_say)
    except RigforgeError as error:
        _say(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _say(text: str) -> None:
    print(plain(text), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
