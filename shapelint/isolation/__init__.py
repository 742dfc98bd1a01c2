"""User code runs in processes of its own, so that whatever a file does costs its own result alone.

    command  --jobs-->  server (torch imported once)  --fork-->  worker for each file
             <----------------- outcomes, pickled plain data -----------------

The command process runs no user code. The server runs none either: it imports torch and shapelint's tracing, then forks
for each file, as many at once as it is told, and ends a worker that takes too long or too much memory. Where ``fork``
does not exist, workers are spawned one by one and import torch themselves.

While user code runs, network connections, further processes and writing files outside temporary folders are refused,
with a message that says what was tried. This is a guard rail against accidents (downloaded weights, log directories,
training that starts on import), and no sandbox: code that wants to get around it can. Linting imports the code; lint
only what you would run.
"""
