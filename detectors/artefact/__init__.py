"""What is no measurement of the patient: technical findings that withhold the values they explain.

How safe that is depends on a few rules, each of which has a test:

- Nothing is withheld without a reason that no body gives: a change that is too fast, a zero while
  another source shows a heart that beats, two sources that disagree.
- A slow fall or rise is never withheld, however far it goes. A fall of the heart rate is never
  withheld on its own word, nor a respiratory rate of zero: apnoea and asystole look like that.
- Where two sources speak of one thing, only the one that left the patient's recent level is
  withheld, and none when the other is near a danger itself, or has left it too.
- While the heart rate or pulse is beyond an urgent bound, a fall of another vital is believed.
- It ends: a value that holds on is believed after `confirm` seconds, and what lasts longer than
  `lasting` becomes medium priority (somebody must look at the sensor) and withholds nothing more.
  Only a zero next to a source that shows a living patient is withheld for as long as it does.
"""

from detectors.artefact.detector import Artefact
from detectors.artefact.state import Options, Plausible, State

__all__ = ["Artefact", "Options", "Plausible", "State"]
