//! FeNN assembly text to program image, and back.
