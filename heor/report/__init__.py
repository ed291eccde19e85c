"""Reports over finished results; nothing here computes one."""
