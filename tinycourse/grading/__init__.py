"""`tinycourse grade`: a class set of exercise notebooks to points and feedback, each submission in a sandbox of its own.

submissions.py  folders and notebooks, whole or damaged, to steps: which cells are run, and where our hidden tests are put
sandbox.py      what a submission cannot do: reach the network, write outside its folder, take memory or processes without end
worker.py       a process with everything imported, which forks itself for every notebook
grade.py        the class: worker processes, results kept by the hash of what they come from, rows
report.py       the table as CSV, a feedback page for each learner

A grade is decided by running the learner's cells and then our hidden tests on the function that they define; the learner's own
copies of the test cells are never run. The sandbox protects the machine and everyone else's grade from a submission. It cannot
stop a learner from copying an answer: the solutions lie in the repository, for everyone to read.
"""
