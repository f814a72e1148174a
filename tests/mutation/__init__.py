"""What helps mutmut to judge the breaks that it makes."""
