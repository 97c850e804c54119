// An OpenID provider for tests. It prints its address, and does what the lines of its input say:
// {"user": {...}} is its user information from then on, {"status": 401} the status of that,
// {"claims": {...}} changes the tokens, {"token": {...}} and {"tokenStatus": 400} the answers of its
// token endpoint, {"forget": true} lets it answer as at first. It says what it was asked.
import { createInterface } from "node:readline";
import { OAuth2Server } from "oauth2-mock-server";

const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
let told = {}, asked = {};
let tokens = 0;
server.service.on("beforeTokenSigning", (token) => Object.assign(token.payload, told.claims));
server.service.on("beforeResponse", (answer) => {
  tokens += 1;
  Object.assign(answer.body, told.token);
  if (told.tokenStatus) answer.statusCode = told.tokenStatus;
});
server.service.on("beforeUserinfo", (answer) => {
  answer.body = told.user ?? { sub: "1" };
  answer.statusCode = told.status ?? 200;
});
server.service.on("beforeAuthorizeRedirect", (redirect) => { asked = Object.fromEntries(redirect.url.searchParams); });
await server.start(0, "127.0.0.1");
console.log(server.issuer.url);
for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line);
  if (said.forget) [told, asked, tokens] = [{}, {}, 0];
  else Object.assign(told, said);
  console.log(JSON.stringify({ tokens, asked }));
}
await server.stop();
