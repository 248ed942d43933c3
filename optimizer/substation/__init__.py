"""Many feeders behind one limit: each offers what it could do at a price, a split says who does how
much, each plans its share by itself (`docs/explanation/many-feeders.md`).

- `offer`: one feeder's answers to prices, the points of its flexibility curve;
- `split`: the shares that cost least along those curves, and the bound that no split can beat;
- `engine`: where the feeders' work is done: here, in processes, or by `dask.distributed`;
- `levels`: both levels together, from tasks and a limit to a plan for every feeder;
- `joint`: all feeders as one programme, for a proof on cases small enough.
"""
