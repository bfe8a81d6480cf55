"""tern chat with the demo model: from a pipe, and on a pseudo-terminal with Ctrl-C."""
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import termios
import time
import unittest

from support import DEMO, TERN, TIMEOUT_S, tern

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x01\x02\x07]")
PROMPT = "> "


@unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
class PipeTest(unittest.TestCase):
    def chat(self, text, *options):
        done = tern("chat", DEMO, "--greedy", *options, stdin=text)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def test_one_answer_per_line_and_memory_of_what_was_said(self):
        out = self.chat("Hello! My name is Ada.\nWhat is my name?\n").splitlines()
        self.assertEqual(len(out), 2, out)
        self.assertIn("Ada", out[1])

    def test_no_newline_at_the_end(self):
        self.assertEqual(self.chat("What is 2 + 3?"), self.chat("What is 2 + 3?\n"))

    def test_reset_forgets(self):
        out = self.chat("Hello! My name is Ada.\n/reset\nWhat is my name?\n")
        self.assertNotIn("Ada", out.splitlines()[-1])

    def test_a_message_of_several_lines(self):
        one = self.chat('"""Hello!\nMy name is Ada."""\n')
        self.assertEqual(one, self.chat("Hello!\\\nMy name is Ada.\n"))
        self.assertEqual(len(one.strip().splitlines()), 1)

    def test_commands(self):
        out = self.chat("/help\n")
        for command in ("/help", "/reset", "/system", "/exit", "Ctrl-C"):
            self.assertIn(command, out)
        self.assertIn("There is no command /frob", self.chat("/frob\n"))
        self.assertEqual(self.chat("/exit\nHello\n"), "")
        self.assertIn("system message", self.chat("/system You are terse.\n"))

    def test_nothing_but_answers_on_stdout(self):
        out = self.chat("What is 2 + 3?\n")
        self.assertNotIn("\x1b", out)
        self.assertNotIn("tok/s", out)
        self.assertIn("tok/s", self.chat("What is 2 + 3?\n", "--echo"))

    def test_a_full_context_is_said_and_survived(self):
        out = tern("chat", DEMO, "--greedy", "--context", "64",
                   stdin="Hello " * 100 + "\n/reset\nWhat is 2 + 3?\n")
        self.assertEqual(out.returncode, 0)
        self.assertIn("context", out.stderr.decode())
        self.assertIn("5", out.stdout.decode().splitlines()[-1])


class Terminal:
    """tern on a pseudo-terminal of its own."""

    def __init__(self, *args):
        self.home = tempfile.TemporaryDirectory()
        self.master, slave = pty.openpty()
        env = {**os.environ, "HOME": self.home.name, "XDG_STATE_HOME": self.home.name, "TERM": "xterm"}
        env.pop("NO_COLOR", None)
        # A session of its own with the terminal as its controlling one, so that ^C becomes SIGINT.
        self.process = subprocess.Popen([TERN, *map(str, args)], stdin=slave, stdout=slave, stderr=slave, env=env,
                                        start_new_session=True, preexec_fn=self._control)
        os.close(slave)
        self.screen = ""  # everything that was shown, without escapes
        self.raw = ""

    @staticmethod
    def _control():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        self.home.cleanup()

    def send(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, text, start=0):
        """Until `text` is on the screen at or after `start`; gives where it ends."""
        end = time.monotonic() + TIMEOUT_S
        while self.screen.find(text, start) < 0:
            if time.monotonic() > end or self.process.poll() is not None:
                raise AssertionError(f"no {text!r} in {self.screen[start:]!r}")
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.raw += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # the program has ended
                    pass
                self.screen = ESCAPES.sub("", self.raw)
        return self.screen.find(text, start) + len(text)

    def wait_for_prompt(self, start=0):
        """Until the line editor reads keys: what comes before is still edited by the terminal."""
        at = self.wait_for(PROMPT, start)
        end = time.monotonic() + TIMEOUT_S
        while termios.tcgetattr(self.master)[3] & termios.ICANON and time.monotonic() < end:
            time.sleep(0.01)
        return at


@unittest.skipUnless(DEMO.exists(), "skipped because the demo model is missing")
class TerminalTest(unittest.TestCase):
    # Without the end token an answer goes on until the context of 2048 is full, which takes seconds.
    ENDLESS = ("chat", DEMO, "--greedy", "--ignore-eos", "--threads", "1", "--device", "ref")

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        with Terminal(*self.ENDLESS) as terminal:
            at = terminal.wait_for_prompt()
            terminal.send("Tell me a story.\n")
            at = terminal.wait_for("story.", at)
            time.sleep(0.5)
            terminal.send("\x03")
            at = terminal.wait_for("stopped]", at)
            at = terminal.wait_for_prompt(at)
            terminal.send("/stats\n")
            at = terminal.wait_for("generated", at)
            self.assertIsNone(terminal.process.poll())
            terminal.wait_for_prompt(at)
            terminal.send("\x04")
            self.assertEqual(terminal.process.wait(TIMEOUT_S), 0)

    def test_ctrl_c_at_an_empty_prompt_says_how_to_leave(self):
        with Terminal("chat", DEMO, "--greedy") as terminal:
            at = terminal.wait_for_prompt()
            terminal.send("\x03")
            at = terminal.wait_for("/exit leaves", at)
            at = terminal.wait_for_prompt(at)
            terminal.send("half a mess\x03")
            at = terminal.wait_for("/exit leaves", at)
            at = terminal.wait_for_prompt(at)
            terminal.send("What is 2 + 3?\n")  # what was typed before is gone
            at = terminal.wait_for("= 5", at)
            terminal.wait_for_prompt(at)
            terminal.send("/exit\n")
            self.assertEqual(terminal.process.wait(TIMEOUT_S), 0)

    def test_ctrl_c_between_answer_and_prompt_is_not_lost(self):
        with Terminal("chat", DEMO, "--greedy") as terminal:
            at = 0
            for _ in range(20):
                at = terminal.wait_for(PROMPT, at)  # shown, but perhaps not read from yet
                terminal.send("\x03")
                at = terminal.wait_for("/exit leaves", at)

    def test_text_beyond_ascii(self):
        with Terminal("chat", DEMO, "--greedy") as terminal:
            at = terminal.wait_for_prompt()
            terminal.send("/\u00fcber\u4e16\u754cX\x7f\n")  # a wrong command; the last key deletes the X
            terminal.wait_for("no command /\u00fcber\u4e16\u754c;", at)

    def test_history_outlives_the_program(self):
        with Terminal("chat", DEMO, "--greedy") as terminal:
            at = terminal.wait_for_prompt()
            terminal.send("What is 2 + 3?\n")
            at = terminal.wait_for("tok/s", at)
            terminal.wait_for_prompt(at)
            terminal.send("/exit\n")
            self.assertEqual(terminal.process.wait(TIMEOUT_S), 0)
            with open(os.path.join(terminal.home.name, "tern", "history")) as history:
                self.assertIn("2", history.read())

    def test_a_message_of_several_lines_comes_back_by_arrow_up(self):
        with Terminal("chat", DEMO, "--greedy") as terminal:
            at = terminal.wait_for_prompt()
            terminal.send('"""What is\n')
            at = terminal.wait_for(". ", at)
            terminal.send('2 + 3?"""\n')
            at = terminal.wait_for_prompt(terminal.wait_for("tok/s", at))
            terminal.send("\x1b[A")
            at = terminal.wait_for("What is\r\n2 + 3?", at)
            terminal.send("\n")
            terminal.wait_for("tok/s", at)

    def test_colours_only_where_they_are_seen(self):
        with Terminal("chat", DEMO, "--greedy") as terminal:
            terminal.wait_for_prompt()
            self.assertIn("\x1b[32m", terminal.raw)

    def test_ctrl_c_ends_a_run_with_what_there_is(self):
        with Terminal("run", DEMO, "-p", "Once", "--ignore-eos", "--device", "ref", "--threads", "1") as terminal:
            time.sleep(1)
            terminal.process.send_signal(signal.SIGINT)
            terminal.wait_for("ended by cancelled]")
            self.assertEqual(terminal.process.wait(TIMEOUT_S), 1)


if __name__ == "__main__":
    unittest.main()
