"""The pages that people look at: server-rendered, readable without JavaScript, in English and Arabic.

`site` turns a request into a page, `language` holds every word, `show` writes values for people. Each other
module gathers what one page says, from one view of the ledger, into a value that its template prints. Nothing
here decides anything: every figure comes from the contract room.
"""

from pseudoledger.node.pages.routing import routes
from pseudoledger.node.pages.site import error_page, wants_page

__all__ = ["error_page", "routes", "wants_page"]
