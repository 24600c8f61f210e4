"""`ServingError`, the exception of every refused request, and the conversion of TensorFlow's errors to it."""

import grpc

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class ServingError(Exception):
    """A refusal with a gRPC status code and a text that names the thing and the value."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_argument(message: str) -> ServingError:
    """Return an INVALID_ARGUMENT error, the code for any fault of the request itself."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def as_serving_error(error: Exception) -> ServingError:
    """Turn an error of TensorFlow or of a file into a `ServingError`, without the trace through the graph."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, UnicodeEncodeError):  # JSON may escape half a character, which no message can carry
        return invalid_argument("The surrogate pair in string is invalid.")
    code = _CODES.get(getattr(error, "error_code", -1), grpc.StatusCode.UNKNOWN)
    return ServingError(code, str(getattr(error, "message", error)).partition("\n\nOriginal stack trace")[0])
