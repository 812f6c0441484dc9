import subprocess
import sys

PROGRAM = """
from tfxfer.system.processes.team import Team
from tfxfer.system.processes.watching import Watch

team = Team(1, 3)
team.names = ["pid 1 on a", "pid 2 on b", "pid 3 on c"]
Watch(team).end(*{arguments})
"""


def end(*arguments):
    """Returns the exit code and the message of a process whose watch ends it."""
    program = PROGRAM.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    return done.returncode, done.stderr.decode()


def test_the_message_names_the_process_that_is_gone_and_says_what_to_do():
    code, said = end(2)
    assert code == 1
    assert said.startswith("Error: Process 2 of 3 (pid 3 on c) is gone. So process 1 ends, too.")
    assert "Start all processes again with the same commands" in said


def test_the_exit_code_is_that_of_the_process_that_ended():
    code, said = end(0, "ended: Interrupted by SIGTERM.", 143)
    assert code == 143
    assert "Process 0 of 3 (pid 1 on a) ended: Interrupted by SIGTERM." in said


def test_where_the_process_is_unknown_the_message_says_so():
    assert "Error: Another process is gone." in end(None)[1]
