"""Rules over a listing, and the report of what they find."""

# The rules register themselves, in this order.
from reinfer_nb.audits import text_rules as _text_rules  # noqa: F401, I001
from reinfer_nb.audits import sibling_rules as _sibling_rules  # noqa: F401
from reinfer_nb.audits import setting_rules as _setting_rules  # noqa: F401
