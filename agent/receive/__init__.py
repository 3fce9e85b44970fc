"""The way in: OTLP over gRPC and HTTP, admitted, counted, and handed to a Sink."""
