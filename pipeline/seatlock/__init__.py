"""Process: seatlock, the gRPC door in front of the seat rows."""
