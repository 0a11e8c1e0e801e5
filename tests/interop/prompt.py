"""Types at the prompt of `purser query` as a person does, on a terminal of its own.

Usage: prompt.py HISTORY PURSER ARGUMENT…: fails at the first thing that the terminal does not show.
"""
import os
import pty
import re
import select
import signal
import sys
import time

HISTORY, *COMMAND = sys.argv[1:]
PATIENCE = 60


class Terminal:
    def __init__(self):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm", "PURSER_HISTORY": HISTORY}
            os.execv(COMMAND[0], COMMAND)
        self.seen = ""
        self.shows("purser> ")

    def keys(self, keys):
        os.write(self.file, keys.encode())

    def shows(self, words):
        """Reads on until the words come; gives what stands before them."""
        end = time.monotonic() + PATIENCE
        while words not in self.seen:
            ready, _, _ = select.select([self.file], [], [], 1)
            if ready:
                try:
                    read = os.read(self.file, 4096).decode(errors="replace")
                except OSError:
                    sys.exit(f"it ended without {words!r}: {self.seen!r}")
                self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read)
            elif time.monotonic() > end:
                sys.exit(f"no {words!r} in {self.seen!r}")
        before, self.seen = self.seen.split(words, 1)
        return before

    def ends(self):
        while True:
            try:
                if not os.read(self.file, 4096):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"it ended with {status}")


terminal = Terminal()
# Tab completes a column's name, and a statement may take several lines.
terminal.keys("select customer, used_perc\t as share\nfrom wallets order by customer;\n")
terminal.shows("acme")
terminal.shows("row")
terminal.shows("purser> ")
# What is wrong is told, and the prompt goes on.
terminal.keys("select custommer from wallets;\n")
terminal.shows("unknown column custommer")
terminal.shows("purser> ")
terminal.keys("\\d wallets\n")
terminal.shows("used_percent")
terminal.shows("purser> ")
terminal.keys("\\d WALLETS;\n")
terminal.shows("used_percent")
terminal.shows("purser> ")
terminal.keys("\\d nope\n")
terminal.shows("there is no table or view nope")
terminal.shows("purser> ")
# Several in a line, and as they are pasted; a `;` in a text ends nothing.
terminal.keys("select 'a;\nb' as x, $n as n; select 'sec' || 'ond'; -- no more\n")
terminal.shows("41")
terminal.shows("second")
terminal.shows("purser> ")
terminal.keys("\x1b[200~select 'thi' || 'rd';\nselect 'fou' || 'rth';\x1b[201~\n")
terminal.shows("third")
terminal.shows("fourth")
terminal.shows("purser> ")
# After one that fails, no more.
terminal.keys("select custommer from wallets; select 'fif' || 'th';\n")
terminal.shows("unknown column custommer")
if "fifth" in terminal.shows("purser> "):
    sys.exit("it went on")
terminal.keys("\\nonsense\n")
terminal.shows("there is no \\nonsense")
terminal.shows("purser> ")
# Ctrl-C stops a statement that would take for ever, and not the prompt.
tables = ", ".join(f"generate_series(1, 1000) as {name}(n)" for name in "abcdef")
terminal.keys(f"select sum(a.n * b.n % (c.n + d.n + e.n + f.n)) from {tables};\n")
terminal.shows("rows read,")
terminal.keys("\x03")
terminal.shows("stopped")
terminal.shows("purser> ")
# A terminal that is closed.
os.kill(terminal.pid, signal.SIGKILL)
os.waitpid(terminal.pid, 0)

# The next one remembers: the long statement, the nonsense.
again = Terminal()
again.keys("\x1b[A" * 2 + "\n")
again.shows("there is no \\nonsense")
again.shows("purser> ")
again.keys("\\q;\n")
again.ends()
again = Terminal()
again.keys("\x04")
again.ends()
