def complaints(line):
    return ["todo"]
