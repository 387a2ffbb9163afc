"""What goes on by itself: deliveries, carriers, the chain, the meter. The network belongs here."""
