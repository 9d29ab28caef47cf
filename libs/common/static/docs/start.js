"use strict";
// Swagger UI 5.35.0, unchanged, with its licence beside it. No validator service is asked.
window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  validatorUrl: null,
  deepLinking: true,
  presets: [window.SwaggerUIBundle.presets.apis],
});
