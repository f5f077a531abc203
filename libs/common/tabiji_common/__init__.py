"""What every Tabiji service stands on: records, topics, clock, runtime, health; never a business rule."""
