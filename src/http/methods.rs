//! What one route answers to, by method. Unlike poem's own it can say so: a 405 without `Allow` leaves the caller
//! guessing, and is no 405.

use poem::{
    Endpoint, EndpointExt, IntoEndpoint, Request, Response, Result,
    endpoint::BoxEndpoint,
    http::{HeaderValue, Method, StatusCode, header},
};

use super::refusal::refusal;

/// The endpoints of one route. HEAD and OPTIONS are not among them: the shell asks for a HEAD by GET, and answers
/// OPTIONS from what stands in `Allow`.
#[derive(Default)]
pub struct Methods(Vec<(Method, BoxEndpoint<'static, Response>)>);

impl Methods {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn get<E>(self, endpoint: E) -> Self
    where
        E: IntoEndpoint<Endpoint: 'static>,
    {
        self.on(Method::GET, endpoint)
    }

    #[must_use]
    pub fn post<E>(self, endpoint: E) -> Self
    where
        E: IntoEndpoint<Endpoint: 'static>,
    {
        self.on(Method::POST, endpoint)
    }

    #[must_use]
    pub fn on<E>(mut self, method: Method, endpoint: E) -> Self
    where
        E: IntoEndpoint<Endpoint: 'static>,
    {
        let endpoint = endpoint.into_endpoint().map_to_response().boxed();
        self.0.push((method, endpoint));
        self
    }

    fn refused(&self) -> Response {
        let mut allowed = vec![Method::OPTIONS.as_str()];
        for (method, _) in &self.0 {
            if method == Method::GET {
                allowed.push(Method::HEAD.as_str());
            }
            allowed.push(method.as_str());
        }
        allowed.sort_unstable();
        let mut response = refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "This method is not allowed here.",
        );
        if let Ok(allowed) = HeaderValue::from_str(&allowed.join(", ")) {
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }
}

impl Endpoint for Methods {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match self.0.iter().find(|(method, _)| method == request.method()) {
            Some((_, endpoint)) => endpoint.call(request).await,
            None => Ok(self.refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use poem::endpoint::make_sync;

    use super::*;

    #[tokio::test]
    async fn a_refusal_names_what_is_allowed() {
        let route = Methods::new()
            .post(make_sync(|_| "posted"))
            .get(make_sync(|_| "got"));
        let ask = |method| route.get_response(Request::builder().method(method).finish());

        let got = ask(Method::GET).await.into_body().into_string().await;
        assert_eq!(got.unwrap(), "got");
        let refused = ask(Method::DELETE).await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers()[header::ALLOW], "GET, HEAD, OPTIONS, POST");
    }
}
