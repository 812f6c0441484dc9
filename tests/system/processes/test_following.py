from tfxfer.system.processes.following import Following, interruptions
from tfxfer.system.processes.team import Team, belonging_to
from tfxfer.system.signals import Interruptions


def test_the_first_process_is_interrupted_and_the_others_follow_it():
    assert type(interruptions()) is Interruptions
    with belonging_to(Team(1, 2)):
        assert type(interruptions()) is Following
