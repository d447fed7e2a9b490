pub struct Page;
pub fn console() -> Page {
    Page
}
pub fn index() -> Page {
    Page
}
impl Page {
    pub fn response(&self) -> poem::Response {
        poem::Response::builder().body("page")
    }
}
