"""What several processes of a machine or a file system share, or the threads of one."""
