fn cap(score: f32) -> f32 { return score; }
