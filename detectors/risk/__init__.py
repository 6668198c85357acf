"""How likely is it that this patient gets worse? Fitted models over streaming statistics.

`features` makes statistics of what is measured, `model` is one question's file, `options` is a
profile's section (with a site's own questions), `detector` asks at run time. The rest fits models:
`table` reads labelled recordings, `fitting` fits and validates, `training` puts it together, `card`
writes down what a model may and may not be used for.
"""

from detectors.risk.detector import Risk

__all__ = ["Risk"]
