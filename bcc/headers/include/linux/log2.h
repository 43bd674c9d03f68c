/* BCC's headers include it and use nothing of it. */
