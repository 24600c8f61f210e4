const place = document.getElementById("swagger-ui");
// No validator: it would send the document to another host.
SwaggerUIBundle({ domNode: place, url: place.dataset.openapi, validatorUrl: null, deepLinking: true });
