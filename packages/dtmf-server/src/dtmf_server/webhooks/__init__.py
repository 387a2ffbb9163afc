"""Webhook delivery: resolve and vet destinations, post, interpret responses."""
