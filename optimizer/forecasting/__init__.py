"""The forecaster: an ensemble of experts on one regular grid, with quantiles that learn.

`grid` is what is known; `similar`, `glm`, `difference` are the experts; `ensemble` fits and asks
them; `combine` weighs them; `conformal` puts bands around the point. Nothing here knows what comes
after the origin that it is asked for.
"""
