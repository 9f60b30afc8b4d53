"""What is on the screen: a folder for each page, `shell` for what pages share, `charts`, and `text` for the strings.

Imports run one way: a page imports the shell and the charts, the shell imports the charts, and no page imports another.
Only `text` imports from every folder: their strings.
"""
