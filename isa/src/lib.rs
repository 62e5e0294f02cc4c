//! What the FeNN machine is: one table of instructions, CSRs and memories, and all that is read off it.
