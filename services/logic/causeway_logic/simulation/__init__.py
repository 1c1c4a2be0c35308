"""Simulated crowds: what an app's `simulation.py` imports. `causeway-logic simulate PACKAGE` runs it.

```python
from causeway_logic.simulation import Crowd, Visitor


async def visit(crowd: Crowd, me: Visitor) -> None:
    while await crowd.turn():
        await me.call("counter.add", {"name": "hits", "by": 1})
        crowd.count("hits")
```

An app's package may have such a module; its `visit` is run once for each user, all at the same time, until the crowd goes home.
"""

from causeway_logic.simulation.crowd import Crowd
from causeway_logic.simulation.visitor import Refused, Unanswered, Visitor

__all__ = ["Crowd", "Refused", "Unanswered", "Visitor"]
