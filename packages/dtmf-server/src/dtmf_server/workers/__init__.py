"""Background workers: deliveries, carriers, the chain, the meter. Outbound network access belongs here."""
