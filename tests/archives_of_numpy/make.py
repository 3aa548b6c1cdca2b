"""Makes the archives in this folder, with NumPy alone: `python make.py`. The numbers are invented."""

from pathlib import Path

import numpy as np

here = Path(__file__).parent
users = np.array([[1, 2, 0.5], [-1, 0.25, 4]], "<f4")
items = np.array([[0.5, 0, 1], [2, -3, 0.125], [0, 0, 0], [8, 1, -0.5]], "<f4")
arrays = {"user_factors": users, "item_factors": items}
np.savez(here / "plain.npz", **arrays, regularization=0.01, factors=3, dtype="float32", use_cg=True)
np.savez_compressed(here / "compressed.npz", **arrays, regularization=np.float32(0.25))
doubles = {name: np.asfortranarray(array.astype("<f8")) for name, array in arrays.items()}
np.savez(here / "doubles_by_column.npz", **doubles, regularization=1)
