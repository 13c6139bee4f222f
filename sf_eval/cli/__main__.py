from sf_eval.cli.main import main

main()
