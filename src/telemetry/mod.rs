pub struct Metrics;
impl Metrics {
    pub fn database_wait(&self, _: std::time::Duration) {}
    pub fn database_statement(&self, _: std::time::Duration, _: bool) {}
}
