//! Puzzles that tell people from robots, where somebody tries too often.
