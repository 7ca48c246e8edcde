from .tape import Tape, name, scope, Variable
from .transforms.derivatives import *
from .sweeps import *
