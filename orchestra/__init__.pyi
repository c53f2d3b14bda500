from orchestra.compose.api import load as load
from orchestra.compose.schema.stack import Stack as Stack

__version__: str
