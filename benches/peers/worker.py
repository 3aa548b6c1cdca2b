"""segue, in a process of its own."""

import json
import subprocess
from pathlib import Path

import numpy as np


class Worker:
    def __init__(self, command: list[str], work: Path):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.work = work

    def ask(self, do: str, **fields) -> dict:
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"segue ended while asked to {do}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{do}: {answer['error']}")
        return answer

    def factors(self, n_users: int, n_items: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        users, items = self.work / "users.bin", self.work / "items.bin"
        self.ask("dump", users=str(users), items=str(items))
        read = lambda path, n: np.fromfile(path, np.float32).reshape(n, k)
        return read(users, n_users), read(items, n_items)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
