"""What a plan tells beside the predicted counts: account, owners, schema, cost, blockers."""
