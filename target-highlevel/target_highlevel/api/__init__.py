"""HighLevel as an object: one typed method per thing it can do.

Each endpoint, envelope, filter and page loop is written here and nowhere else. This package knows HighLevel's resources and what
they look like; it knows nothing of Singer, of Cliniko or of the ledger.

Every method raises the errors of ``target_highlevel.errors``. An answer that does not have the documented shape raises
``AnswerNotUnderstood``: what was asked for may have happened.
"""
