// esbuild gathers style sheets into app.css.
declare module "*.css";
