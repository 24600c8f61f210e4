"""Answer POST /predict past Flask, whose dispatch takes longer than all that is done there for one image.

What Flask does around the view is done here by the same functions; every other request goes on to Flask.
"""

from collections.abc import Iterable

from serving.gateway.access.admission import Admit
from serving.gateway.server.wsgi import Application, Environ, StartResponse
from serving.gateway.views import predict
from serving.gateway.web import problems, request_log
from serving.gateway.web.context import Gateway
from serving.gateway.web.parameters import PredictQuery, read_headers, read_query

PATH = "/predict"
ENDPOINT = "predict.predict"


def shortened(application: Application, services: Gateway, admit: Admit | None) -> Application:
    """Return a WSGI application that answers predictions itself, and has `application` answer all else."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST":
            return application(environ, start_response)
        log = request_log.begin(environ)
        try:
            if admit:
                admit(environ, ENDPOINT)
            query, header = read_query(PredictQuery, environ), read_headers(environ)
            reply = predict.answer(services, log, query, header, environ)
        except Exception as error:
            reply = problems.problem(error, log, PATH)
        length = str(len(reply.body))
        added = request_log.end(services, environ, log, PATH, reply.status, length)
        start_response(reply.line, [*reply.headers, ("Content-Length", length), *added])
        return (reply.body,)

    return answer
