from orchestra.api.asynchronous import AsyncRunningStack as AsyncRunningStack
from orchestra.api.errors import ExecError as ExecError
from orchestra.api.errors import StackError as StackError
from orchestra.api.errors import UpError as UpError
from orchestra.api.log import LogLine as LogLine
from orchestra.api.opening import up as up
from orchestra.api.program import ExecResult as ExecResult
from orchestra.api.stack import Address as Address
from orchestra.api.stack import RunningStack as RunningStack
from orchestra.compose.api import load as load
from orchestra.compose.schema.stack import Stack as Stack
from orchestra.model.event import ActionEvent as ActionEvent
from orchestra.model.event import BlockedEvent as BlockedEvent
from orchestra.model.event import ContainerEvent as ContainerEvent
from orchestra.model.event import ConvergedEvent as ConvergedEvent
from orchestra.model.event import HealthEvent as HealthEvent
from orchestra.model.event import SkippedEvent as SkippedEvent
from orchestra.model.event import SnapshotEvent as SnapshotEvent
from orchestra.stacks.containers import ContainerRow as ContainerRow

__version__: str
