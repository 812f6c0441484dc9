from tfxfer.system.processes.agreeing import check_same


def test_a_process_that_trains_alone_agrees_with_itself():
    check_same({"digest of the data": "1"})
