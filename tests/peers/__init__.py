"""The tests of projects whose place we take, run against us. None of their files is kept here."""
